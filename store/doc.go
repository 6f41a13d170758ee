// Package store keeps everything that must survive: lattices, dispatches, triggers,
// events, firings and assets, in one SQLite database and a folder of files.
package store
