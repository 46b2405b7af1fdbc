package book

import "testing"

func TestAdd(t *testing.T) {
	book := Book{map[int]int{}}
	if !book.Add(1, 10) {
		t.Fatal("an order was refused")
	}
}
