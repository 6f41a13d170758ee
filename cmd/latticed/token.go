package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api/client"
)

func newToken(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Who may come in over TCP",
		Long: `Tokens let clients in that are not on this machine, where the daemon listens (latticed
serve --listen). A client gives it in $LATTICED_TOKEN or in a file that --token-file or
$LATTICED_TOKEN_FILE names. Roles:

  viewer    reads everything but tokens, the audit trail, backups and the secrets of hooks
  operator  also runs, cancels and registers: with this somebody can run any program here
  admin     everything, as on the socket
  source    delivers events to one trigger of kind webhook, and the files they are about
`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(c), newTokenList(c), newTokenRevoke(c))
	return cmd
}

func newTokenCreate(c *cli) *cobra.Command {
	var t client.NewToken
	var out string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, this once",
		Example: `  latticed token create laptop --role operator --expires 90d
  latticed token create scanner --role source --trigger scans --out scanner.token`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.Name = args[0]
			if t.Role == "" {
				return usagef("--role is missing: viewer, operator, admin or source")
			}
			api, err := c.connect()
			if err != nil {
				return err
			}
			to := c.stdout
			if out != "" {
				f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if errors.Is(err, fs.ErrExist) {
					return usagef("--out %s: it is there already; name a new file", out)
				}
				if err != nil {
					return usagef("--out: %v", err)
				}
				defer func() { _ = f.Close() }()
				to = f
			}
			a, err := api.CreateToken(cmd.Context(), t)
			if err == nil {
				err = c.showToken(a, to, out)
			}
			if err != nil && out != "" {
				err = errors.Join(err, os.Remove(out))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.Role, "role", "", "viewer, operator, admin or source (needed)")
	f.StringVar(&t.Trigger, "trigger", "", "with role source: the trigger it may deliver to")
	f.StringVar(&t.Expires, "expires", "", "how long it lives, such as 90d, or an instant (default: until it is revoked)")
	f.StringVarP(&out, "out", "o", "", "write it to this new file that only you can read")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"viewer", "operator", "admin", "source"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// showToken prints the token alone, so that it can go to a file.
func (c *cli) showToken(a client.Answer[client.CreatedToken], to io.Writer, file string) error {
	if c.json && file == "" {
		return c.raw(a.Raw)
	}
	if _, err := fmt.Fprintln(to, a.Value.Token); err != nil {
		return err
	}
	switch {
	case c.json:
	case file != "":
		fmt.Fprintf(c.stderr, "latticed: the token is in %s, which only you can read, and nowhere else\n", file)
	default:
		fmt.Fprintln(c.stderr, "latticed: the token is shown this once; keep it where only its user can read it")
	}
	return nil
}

func newTokenList(c *cli) *cobra.Command {
	var all bool
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, newest first",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			q := page(limit, after)
			if all {
				q.Set("all", "1")
			}
			a, err := api.Tokens(cmd.Context(), q)
			if err != nil || c.json {
				return c.orRaw(err, a.Raw)
			}
			header := []string{"NAME", "ROLE", "TRIGGER", "CREATED BY", "CREATED", "EXPIRES", "LAST USED"}
			if all {
				header = append(header, "ENDED")
			}
			rows := [][]string{}
			for _, t := range a.Value.Items {
				row := []string{t.Name, t.Role, dash(text(t.Trigger)), t.CreatedBy, at(t.CreatedAt), at(t.ExpiresAt), at(t.LastUsedAt)}
				if all {
					row = append(row, at(endOf(t)))
				}
				rows = append(rows, row)
			}
			if err := c.table(header, rows); err != nil {
				return err
			}
			return c.more(a.Value.Next)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that expired or were revoked")
	addPage(cmd, &limit, &after)
	return cmd
}

// endOf is when a token ended; zero when it has not.
func endOf(t client.Token) time.Time {
	if t.RevokedAt.IsZero() && !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(time.Now()) {
		return t.ExpiresAt
	}
	return t.RevokedAt
}

func newTokenRevoke(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME|ID",
		Short: "End a token at once, with all that its user follows",
		Args:  exactly("NAME|ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.connect()
			if err != nil {
				return err
			}
			return api.RevokeToken(cmd.Context(), args[0])
		},
	}
}
