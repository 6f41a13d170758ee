package database

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// optionNames are the options that URLs of an engine may have: those that say how to
// connect, in the spelling of the usual drivers. Names are compared in lower case.
var optionNames = map[string][]string{
	enginePostgres: {
		"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey",
		"connect_timeout", "application_name", "options", "target_session_attrs", "channel_binding",
	},
	engineMySQL: {
		"host", "port", "user", "password", "database", "unix_socket", "connect_timeout", "charset",
		"ssl_mode", "ssl_ca", "ssl_cert", "ssl_key",
	},
	engineMSSQL: {
		"host", "port", "user", "password", "database", "instance", "driver", "encrypt", "trustservercertificate",
		"hostnameincertificate", "certificate", "applicationintent", "connect_timeout", "app name",
	},
	engineSQLite: {"mode", "timeout", "uri", "check_same_thread", "cache"},
}

// spellings are other names of options: those of other drivers for the same thing.
var spellings = map[string]map[string]string{
	enginePostgres: {"database": "dbname", "username": "user", "ssl": "sslmode"},
	engineMySQL:    {"timeout": "connect_timeout", "dbname": "database", "username": "user", "ssl-mode": "ssl_mode", "tls": "ssl_mode"},
	engineMSSQL:    {"connection timeout": "connect_timeout", "timeout": "connect_timeout", "username": "user", "user id": "user"},
}

// choices are options of a few words. Values of other spellings stand beside the
// word they mean.
var choices = map[string]map[string]string{
	"sslmode": {
		"disable": "", "allow": "", "prefer": "", "require": "", "verify-ca": "", "verify-full": "",
		"true": "require", "false": "disable",
	},
	"ssl_mode": {
		"disabled": "", "preferred": "", "required": "", "verify_ca": "", "verify_identity": "",
		"true": "verify_identity", "false": "disabled", "skip-verify": "required",
	},
	"encrypt":                {"true": "", "false": "", "strict": "", "disable": "", "yes": "true", "no": "false", "mandatory": "true", "optional": "false"},
	"trustservercertificate": {"true": "", "false": "", "yes": "true", "no": "false"},
}

// takeOptions reads what follows the ?. Values are repeated in no error: nobody knows
// what stands there in a broken URL.
func (a *address) takeOptions(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return errEscape("the name of an option")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return errEscape("the value of an option")
		}
		if err := a.takeOption(strings.ToLower(name), value); err != nil {
			return err
		}
	}
	return nil
}

func (a *address) takeOption(name, value string) error {
	if other, ok := spellings[a.engine][name]; ok {
		name = other
	}
	if !slices.Contains(optionNames[a.engine], name) {
		return unknownOption(a.engine, name)
	}
	if _, twice := a.options[name]; twice {
		return fmt.Errorf("has the option %s twice", name)
	}
	if words := choices[name]; words != nil {
		word := strings.ToLower(value)
		means, ok := words[word]
		if !ok {
			return fmt.Errorf("has a value for %s that is none of %s", name, strings.Join(wordsOf(words), ", "))
		}
		if value = means; means == "" {
			value = word
		}
	}
	a.options[name] = value
	return nil
}

// unknownOption names the option only when it is near to one we know: anything else
// might be a part of a password.
func unknownOption(engine, name string) error {
	switch name {
	case "odbc_connect":
		return errors.New("has odbc_connect, which we don't read; write mssql://user:password@host:1433/database")
	case "immutable", "nolock":
		return fmt.Errorf("has the option %s, with which changes would go unseen", name)
	}
	known := optionNames[engine]
	if like := graph.Suggest(name, known); like != "" {
		return fmt.Errorf("has an unknown option; did you mean %s?", like)
	}
	return fmt.Errorf("has an option that is none of %s; inside of a password a ? is written %%3F and an & %%26", strings.Join(known, ", "))
}

// wordsOf are the words of a choice that stand for themselves, in order.
func wordsOf(words map[string]string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for word, means := range maps.All(words) {
			if means == "" && !yield(word) {
				return
			}
		}
	})
}
