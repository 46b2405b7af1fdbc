"""The probe of placement: which threads run where, which memory they use, and what lies between the two."""
