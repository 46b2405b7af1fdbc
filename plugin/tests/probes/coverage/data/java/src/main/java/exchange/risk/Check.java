package exchange.risk;

/** What every check of an order answers. */
public interface Check {
    boolean accepts(long quantity, long price);
}
