package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"
)

// object reads the body of a request, one JSON object, into members: pointers by name. It is as
// strict as RFC 8259 and I-JSON (RFC 7493) permit: names must match to the letter, none may come
// twice or be unknown, a value must be neither null nor an empty string nor the zero time, and nothing may follow. A
// call with a body has no parameters besides: one that is given would be taken for heeded.
func object(w http.ResponseWriter, r *http.Request, members map[string]any) *Problem {
	if problem := query(r, nil); problem != nil {
		return problem
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problemMedia
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return problemLength
	}
	if err != nil {
		return problemBody
	}
	return parseObject(body, members)
}

func parseObject(body []byte, members map[string]any) *Problem {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); !utf8.Valid(body) || err != nil || open != json.Delim('{') {
		return problemBody
	}
	seen := make(map[string]bool)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return problemBody
		}
		key, _ := name.(string)
		into, known := members[key]
		if !known || seen[key] {
			return problemBody
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return problemBody
		}
		if v := string(value); v == "null" || v == `""` || json.Unmarshal(value, into) != nil {
			return problemBody.with(key)
		}
		if t, ok := into.(*time.Time); ok && t.IsZero() {
			return problemBody.with(key) // it would mean that none was given
		}
	}
	if _, err := d.Token(); err != nil { // the object's end
		return problemBody
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problemBody
	}
	return nil
}

// query reads the parameters of a request into params: pointers by name.
func query(r *http.Request, params map[string]*string) *Problem {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problemQuery
	}
	for name, all := range values {
		into, known := params[name]
		switch {
		case !known:
			return problemQuery
		case len(all) != 1 || all[0] == "" || len(all[0]) > maxName || !utf8.ValidString(all[0]):
			return problemQuery.with(name)
		}
		*into = all[0]
	}
	return nil
}
