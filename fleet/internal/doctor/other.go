//go:build !linux

package doctor

func offload() (send, receive bool, err error) { return false, false, errUnknown }
func synced() (bool, error)                    { return false, errUnknown }
func room(string) (uint64, error)              { return 0, errUnknown }
func files() (uint64, error)                   { return 0, errUnknown }
