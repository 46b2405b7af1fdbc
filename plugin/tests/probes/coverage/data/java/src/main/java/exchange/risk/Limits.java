package exchange.risk;

/** Checks an order before it reaches the book. */
public class Limits {
    private final long most;

    public Limits(long most) {
        this.most = most;
    }

    public boolean accepts(long quantity, long price) {
        if (quantity <= 0 || price <= 0) {
            return false;
        }
        return quantity * price <= most;
    }

    public long most() {
        return most;
    }
}
