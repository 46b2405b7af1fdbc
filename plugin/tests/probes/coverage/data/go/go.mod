module example.com/exchange // the matching core

go 1.22
