"""Words for the facts of SQL: what small models are asked, and rules that check the words of a lesson."""
