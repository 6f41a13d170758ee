package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/latticed/latticed/api/client"
)

// remote connects to the daemon at an address.
func (c *cli) remote(server string) (*client.Client, error) {
	o := client.Options{Server: server, CAFile: c.caFile}
	if o.CAFile == "" {
		o.CAFile = os.Getenv("LATTICED_CA_FILE")
	}
	var err error
	if o.Token, err = c.token(); err != nil {
		return nil, err
	}
	api, err := client.Connect(o)
	if err != nil {
		return nil, usagef("--server: %v", err)
	}
	if o.Token != "" && api.Plain() && !c.warned {
		c.warned = true
		fmt.Fprintf(c.stderr, "latticed: warning: others on the network can read the token on its way to %s; use https://\n", server)
	}
	return api, nil
}

// token is what the daemon is shown over TCP. There is no flag with the token itself:
// everybody on the machine could read it in the list of processes.
func (c *cli) token() (string, error) {
	file := c.tokenFile
	if file == "" {
		if t := os.Getenv("LATTICED_TOKEN"); t != "" {
			return t, nil
		}
		file = os.Getenv("LATTICED_TOKEN_FILE")
	}
	if file == "" {
		return "", nil
	}
	t, err := firstLine(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", usagef("%v", err)
	}
	return t, err
}
