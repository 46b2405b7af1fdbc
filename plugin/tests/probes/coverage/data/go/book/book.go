package book

// Book holds resting orders by their id.
type Book struct{ orders map[int]int }

func (b *Book) Add(id, quantity int) bool {
	if quantity <= 0 {
		return false
	}
	b.orders[id] = quantity
	return true
}

func (b *Book) Cancel(id int) { delete(b.orders, id) }
