"""Results of other test tools, read from JUnit XML: what each test case says, never what a header claims."""
