package exchange;

import exchange.risk.Limits;

public class Main {
    public static void main(String[] args) {
        System.out.println(new Limits(1000).accepts(1, 1));
    }
}
