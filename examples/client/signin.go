package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/sallyport/sallyport/internal/lab/signin"
	"github.com/sallyport/sallyport/internal/lab/soak"
)

// passwordVariable is where a password is looked for that is not on the command line.
const passwordVariable = "SALLYPORT_PASSWORD"

// signInFlags say where identity tokens come from when neither a file nor a development server has them.
type signInFlags struct {
	cognito  signin.SignInConfig
	tokenURL string
}

func (f *signInFlags) define(set *flag.FlagSet) {
	c := &f.cognito
	set.StringVar(&f.tokenURL, "token-url", "", "`URL` of a sign-in service that answers with a fresh identity token")
	set.StringVar(&c.Endpoint, "cognito-endpoint", "", "`URL` of Amazon Cognito, or of an emulator; empty means that of -cognito-region")
	set.StringVar(&c.Region, "cognito-region", "", "AWS `region` of the user pool")
	set.StringVar(&c.Client, "cognito-client", "", "app client `id`")
	set.StringVar(&c.User, "user", "", "user `name` at Amazon Cognito")
	set.StringVar(&c.Password, "password", "", "`password`; empty means that of the environment variable "+passwordVariable)
}

// given reports whether any of the flags is.
func (f *signInFlags) given() bool { return *f != signInFlags{} }

// checkSignIn checks the flags that sign in.
func (f *flags) checkSignIn() error {
	c := &f.signIn.cognito
	cognito := *c != signin.SignInConfig{}
	if cognito && c.Password == "" {
		c.Password = os.Getenv(passwordVariable)
	}
	switch {
	case f.tokenFile != "" || f.devFileGiven:
		return errors.New("signing in takes the place of -token and -dev-file: give one of them")
	case cognito && f.signIn.tokenURL != "":
		return errors.New("-token-url and -cognito-… are two ways to sign in: choose one")
	case cognito && (c.Client == "" || c.User == "" || c.Endpoint == "" && c.Region == ""):
		return errors.New("-cognito-client, -user, and -cognito-region or -cognito-endpoint go together: give them all")
	case cognito && c.Password == "":
		return fmt.Errorf("no password: set the environment variable %s, or give -password", passwordVariable)
	case f.config.Renew || f.config.Bearer:
		return errors.New("-renew and -bearer need tokens of a known life and length: use -dev-file")
	}
	if !f.playersGiven {
		f.config.Players = 1
	}
	return nil
}

// withSignIn is a server whose players are all the one who signs in.
func (f *flags) withSignIn(ctx context.Context) (m soak.Match, err error) {
	source, err := f.signIn.source(ctx)
	if err != nil {
		return m, err
	}
	roots, err := f.readCA()
	m = soak.Match{
		Addr: f.connect, RootCAs: roots,
		Token: func(ctx context.Context, _ int, _ time.Duration) ([]byte, error) { return source(ctx) },
	}
	return m, err
}

func (f *signInFlags) source(ctx context.Context) (signin.Source, error) {
	if f.tokenURL != "" {
		source, err := signin.URL(ctx, f.tokenURL)
		if err != nil {
			return nil, fmt.Errorf("cannot use -token-url: %w", err)
		}
		return source, nil
	}
	source, err := signin.Cognito(ctx, f.cognito)
	if err != nil {
		return nil, fmt.Errorf("cannot sign in: %w", err)
	}
	return source, nil
}
