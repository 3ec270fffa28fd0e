"""What a task's command becomes before it is executed: program, arguments, environment, limits."""
