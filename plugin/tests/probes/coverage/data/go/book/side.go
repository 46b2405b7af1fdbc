package book

// Side says who trades.
type Side int
