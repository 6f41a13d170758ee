// Package systemd_test checks the units, and boots a systemd that runs them.
//
// The machine is systemd as pid 1 in systemd-nspawn, over an overlay of this
// machine's root file system; it writes to memory only. That needs root.
package systemd_test
