package main

import (
	"context"
	"os"

	"github.com/rs/zerolog"
)

// version is set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

func main() {
	zerolog.ErrorFieldName = keyErr // in every room
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
