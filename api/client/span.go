package client

// span is how long something takes, as text with a unit.
type span = string
