from orders.risk import Limit, check

assert check(Limit(10), [1, 2, 3]) == []
