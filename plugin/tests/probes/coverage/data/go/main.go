package main

import "example.com/exchange/book"

func main() {
	_ = book.Book{}
}
