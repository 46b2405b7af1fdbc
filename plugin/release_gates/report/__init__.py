"""How a verdict is told to people. Reports read; they decide nothing."""
