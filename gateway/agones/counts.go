package agones

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Counter returns a Counter, which the GameServer's spec has to declare.
func (c *Client) Counter(ctx context.Context, name string) (Counter, error) {
	var j counterJSON
	err := c.do(ctx, http.MethodGet, "/v1beta1/counters/"+url.PathEscape(name), nil, &j)
	return Counter{int64(j.Count), int64(j.Capacity)}, err
}

// SetCount sets a Counter's count, which has to be from 0 to its capacity.
func (c *Client) SetCount(ctx context.Context, name string, count int64) error {
	return c.do(ctx, http.MethodPatch, "/v1beta1/counters/"+url.PathEscape(name), struct {
		Count number `json:"count"`
	}{number(count)}, nil)
}

// AddCount adds diff, which may be negative, to a Counter's count.
func (c *Client) AddCount(ctx context.Context, name string, diff int64) error {
	if diff == 0 {
		return nil // the SDK server takes none for malformed
	}
	return c.do(ctx, http.MethodPatch, "/v1beta1/counters/"+url.PathEscape(name), struct {
		Diff number `json:"countDiff"`
	}{number(diff)}, nil)
}

// List returns a List, which the GameServer's spec has to declare.
func (c *Client) List(ctx context.Context, name string) (List, error) {
	var j listJSON
	err := c.do(ctx, http.MethodGet, "/v1beta1/lists/"+url.PathEscape(name), nil, &j)
	return List{int64(j.Capacity), j.Values}, err
}

// SetList replaces a List's values. The SDK server refuses more than the List has room for.
func (c *Client) SetList(ctx context.Context, name string, values []string) error {
	if values == nil {
		values = []string{}
	}
	return c.do(ctx, http.MethodPatch, "/v1beta1/lists/"+url.PathEscape(name)+"?updateMask=values", struct {
		Values []string `json:"values"`
	}{values}, nil)
}

// AddValue adds a value to a List. One that is there already is no error.
func (c *Client) AddValue(ctx context.Context, name, value string) error {
	return c.change(ctx, name, "addValue", value, "already exists")
}

// RemoveValue removes a value from a List. A missing value is no error, nor is a missing List: the SDK
// server does not tell them apart.
func (c *Client) RemoveValue(ctx context.Context, name, value string) error {
	return c.change(ctx, name, "removeValue", value, "not found")
}

// change adds or removes a value. The SDK server says by its words alone that there is nothing to do.
func (c *Client) change(ctx context.Context, name, how, value, done string) error {
	err := c.post(ctx, "/v1beta1/lists/"+url.PathEscape(name)+":"+how, struct {
		Value string `json:"value"`
	}{value})
	if e, ok := errors.AsType[*StatusError](err); ok && strings.Contains(strings.ToLower(e.Message), done) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %q: %w", name, err)
	}
	return nil
}
