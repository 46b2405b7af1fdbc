#pragma once
#include <map>
#include <string>

namespace book {

template <typename Price>
class Side {
public:
    void add(Price price, int quantity) {
        if (quantity <= 0) {
            return;
        }
        levels_[price] += quantity;
    }

    int depth(Price price) const {
        auto level = levels_.find(price);
        return level == levels_.end() ? 0 : level->second;
    }

private:
    std::map<Price, int> levels_;
};

int cross(int bid, int ask);
std::string describe(int bid, int ask);

}  // namespace book
