package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// SignInConfig says where to sign in, and who. The app client must allow ALLOW_USER_PASSWORD_AUTH and
// ALLOW_REFRESH_TOKEN_AUTH and have no secret, which a game could not keep.
type SignInConfig struct {
	Endpoint string // empty means https://cognito-idp.<Region>.amazonaws.com; http to this host alone
	Region   string // "eu-central-1"
	Client   string // app client id

	User, Password string
}

// ErrRefused is matched by an error for which trying again is of no use: wrong name or password, or a user pool that
// asks for more than a password.
var ErrRefused = errors.New("signin: refused")

// Cognito signs in, so that a wrong password shows at once, and returns where access tokens come from: the first is that
// of the sign-in, each further one a refreshed one, or when that is refused one of a new sign-in.
func Cognito(ctx context.Context, config SignInConfig) (Source, error) {
	if config.Endpoint == "" {
		config.Endpoint = "https://cognito-idp." + config.Region + ".amazonaws.com"
	}
	if err := checkURL(config.Endpoint); err != nil {
		return nil, err
	}
	u := &user{config: config}
	if err := u.signIn(ctx); err != nil {
		return nil, err
	}
	return u.token, nil
}

// A user is somebody who has signed in.
type user struct {
	config  SignInConfig
	mu      sync.Mutex // held across requests: tokens are had one after the other
	access  string     // not handed out yet, or empty
	refresh string
}

// token is a Source.
func (u *user) token(ctx context.Context) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.access == "" {
		err := u.initiate(ctx, "REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": u.refresh})
		if errors.Is(err, ErrRefused) { // it has expired, or was revoked
			err = u.signIn(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	fresh := u.access
	u.access = ""
	return []byte(fresh), nil
}

func (u *user) signIn(ctx context.Context) error {
	return u.initiate(ctx, "USER_PASSWORD_AUTH", map[string]string{"USERNAME": u.config.User, "PASSWORD": u.config.Password})
}

// outcome is the answer of InitiateAuth, in success and in failure.
type outcome struct {
	AuthenticationResult struct{ AccessToken, RefreshToken string }
	ChallengeName        string
	Type                 string `json:"__type"`
}

// initiate does InitiateAuth, in AWS JSON 1.1, and keeps the tokens.
func (u *user) initiate(ctx context.Context, flow string, parameters map[string]string) error {
	body, err := json.Marshal(map[string]any{"AuthFlow": flow, "ClientId": u.config.Client, "AuthParameters": parameters})
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.config.Endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
	status, answer, err := do(req)
	if err != nil {
		return err
	}
	var o outcome
	if err := json.Unmarshal(answer, &o); err != nil {
		return fmt.Errorf("signin: status %d, and no answer of Amazon Cognito", status)
	}
	return u.keep(status, &o)
}

func (u *user) keep(status int, o *outcome) error {
	_, kind, found := strings.Cut(o.Type, "#") // "com.amazonaws…#NotAuthorizedException", or without the prefix
	if !found {
		kind = o.Type
	}
	switch {
	case status >= 500 || kind == "TooManyRequestsException":
		return fmt.Errorf("signin: status %d, try again later", status)
	case status != http.StatusOK:
		return fmt.Errorf("%w: %.64q", ErrRefused, kind)
	case o.ChallengeName != "":
		return fmt.Errorf("%w: the user pool asks for %.64q, besides the password", ErrRefused, o.ChallengeName)
	case o.AuthenticationResult.AccessToken == "":
		return errors.New("signin: the answer has no access token")
	}
	u.access = o.AuthenticationResult.AccessToken
	if r := o.AuthenticationResult.RefreshToken; r != "" { // else the one we have stays good
		u.refresh = r
	}
	return nil
}
