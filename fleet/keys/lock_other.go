//go:build !unix

package keys

import "errors"

// lock refuses: without flock two processes could write one file.
func lock(string) (release func(), err error) {
	return nil, errors.New("this system has no flock: use Linux or another Unix")
}
