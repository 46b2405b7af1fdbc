#include "book.hpp"

static int never_called(int value) {
    return value > 3 ? value : 3;
}

int main(int argc, char**) {
    book::Side<int> bids;
    book::Side<long> asks;
    bids.add(10, 5);
    asks.add(11L, argc);
    if (argc > 7) {
        return never_called(argc);
    }
    return book::cross(bids.depth(10), static_cast<int>(asks.depth(11L))) > 100 ? 1 : 0;
}
