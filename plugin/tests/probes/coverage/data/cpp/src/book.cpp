#include "book.hpp"

namespace book {

int cross(int bid, int ask) {
    if (bid >= ask && ask > 0) {
        return bid - ask;
    }
    return 0;
}

std::string describe(int bid, int ask) {
    if (cross(bid, ask) > 0) {
        return "crossed";
    }
    return "quiet";
}

}  // namespace book
