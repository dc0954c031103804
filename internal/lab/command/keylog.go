package command

import (
	"errors"
	"fmt"
	"os"
)

// errOther means that a key log would be written where somebody else could read it.
var errOther = errors.New("it must be a new file, or a regular one of your own that nobody else can read and that has no other name")

// OpenKeyLog opens the file of -keylog, which holds the secrets of connections: a new one gets mode
// 0600, and one of an earlier run is appended to. A link, a file of somebody else's and one that others
// may read are refused. The error names the flag.
func OpenKeyLog(path string) (*os.File, error) {
	file, err := openOwn(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write -keylog: %w", err)
	}
	return file, nil
}
