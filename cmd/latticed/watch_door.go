package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/latticed/latticed/api/client"
)

// door is the daemon as an agent on another machine sees it. The token is read again
// each time, so that a new one counts as soon as it is there.
type door struct {
	options client.Options
	token   func() (string, error)

	mu    sync.Mutex
	api   *client.Client
	shown string // the token that api shows
}

// watchDoor finds the daemon. What it is shown is a signature, so that the token itself
// stays here.
func (c *cli) watchDoor() (*door, error) {
	server := c.server
	if server == "" {
		server = os.Getenv("LATTICED_SERVER")
	}
	if server == "" {
		return nil, usagef("--server is missing: where the daemon is, such as https://lab:8321")
	}
	if token, err := c.token(); err == nil && token == "" { // a file that isn't there yet is waited for
		return nil, usagef("there is no token: give one of role source in $LATTICED_TOKEN, or in a file with --token-file; an admin makes it with: latticed token create NAME --role source --trigger TRIGGER")
	}
	d := &door{options: client.Options{Server: server, CAFile: c.caFile, Sign: true}, token: c.token}
	if d.options.CAFile == "" {
		d.options.CAFile = os.Getenv("LATTICED_CA_FILE")
	}
	probe := d.options
	probe.Sign = false
	api, err := client.Connect(probe) // what is wrong with the address is said now
	if err != nil {
		return nil, usagef("--server: %v", err)
	}
	api.Close()
	return d, nil
}

// connect returns a client that shows the token of now.
func (d *door) connect() (*client.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	token, err := d.token()
	if err != nil {
		return nil, err
	}
	if d.api != nil && token == d.shown {
		return d.api, nil
	}
	o := d.options
	o.Token = token
	api, err := client.Connect(o)
	if err != nil {
		return nil, err
	}
	if d.api != nil {
		d.api.Close()
	}
	d.api, d.shown = api, token
	return api, nil
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.api != nil {
		d.api.Close()
	}
}

// firstLine reads a secret from a file.
func firstLine(file string) (string, error) {
	raw, err := readNamed(file)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("read the token: the first line of %s is empty", file)
	}
	return line, nil
}
