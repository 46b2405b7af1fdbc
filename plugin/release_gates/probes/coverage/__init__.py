"""Coverage probe: what a report says was executed, by component, in total and for the lines that changed."""
