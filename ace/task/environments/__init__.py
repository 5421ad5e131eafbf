"""What scores an attempt: answers, SQL, a function of your own."""
