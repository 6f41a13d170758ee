package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	alarmAnswer    = 1 << 10 // of an answer that goes into an error
	alarmRedirects = 3
)

// postTo delivers alarms to a server. Its address may hold a secret and is in no error.
func postTo(address string) deliver {
	client := &http.Client{CheckRedirect: sameServer}
	return func(ctx context.Context, _ letter, body []byte) error {
		// A connection of its own: alarms are rare, and nothing is left behind.
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
		c := *client
		c.Transport = transport
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return errors.New("the address can't be used")
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", "latticed/"+version)
		resp, err := c.Do(req)
		if err != nil {
			var at *url.Error
			if errors.As(err, &at) {
				err = at.Err
			}
			return fmt.Errorf("%s: %w", req.URL.Host, err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode/100 == 2 { //nolint:mnd // a success
			return nil
		}
		said, err := io.ReadAll(io.LimitReader(resp.Body, alarmAnswer))
		if err != nil {
			said = nil // the status tells more
		}
		return fmt.Errorf("%s answered %s %s", req.URL.Host, resp.Status, strings.TrimSpace(printable(string(said))))
	}
}

// sameServer follows a redirect only where the configuration has sent us, and only
// when the letter goes along.
func sameServer(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case req.URL.Host != first.Host || req.URL.Scheme != first.Scheme:
		return fmt.Errorf("it sends us on to %s://%s: write the right address into the configuration", req.URL.Scheme, req.URL.Host)
	case req.Method != http.MethodPost:
		return errors.New("it sends us on to a page that takes no POST")
	case len(via) > alarmRedirects:
		return errors.New("it sends us on and on")
	}
	return nil
}
