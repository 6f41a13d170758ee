// Command latticed is the daemon and its command line: one file per sub-command.
// serve.go puts the rooms together and names the order in which they start and stop;
// the hidden sub-command runner is the process that owns local attempts.
//
// Goroutines: serve owns one for each room that runs (dispatcher, alarm, triggers, HTTP)
// and the watchdog's; the alarm's has one for each way to tell; run, which needs no daemon, owns the same in small. The other
// commands have none.
package main
