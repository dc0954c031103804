package identity

import (
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Policy says who has which role, and what a role may do. The zero value is the table of the package
// comment. It is closed: what it does not name may do nothing.
type Policy struct {
	// Table gives roles to SPIFFE ids, one by one. Where it is not nil an id that is not in it has no
	// role, whatever its path says.
	Table map[string]Role

	// Narrow gives a role fewer permissions than DefaultPermissions; one that the role does not have is
	// an error. An empty set takes all.
	Narrow map[Role]Permissions

	// Widen gives a role more permissions than it has otherwise. A warning in the log says so.
	Widen map[Role]Permissions

	// Denied are SPIFFE ids that are refused whatever their role, such as that of a service whose key
	// leaked. Their connections end.
	Denied []string
}

// policy is a Policy that has been checked.
type policy struct {
	table  map[spiffeid.ID]Role // nil: the path decides
	grants [numRoles]Permissions
	denied map[spiffeid.ID]bool
}

func (p Policy) compile() (*policy, error) {
	c := &policy{grants: grants, denied: map[spiffeid.ID]bool{}}
	if p.Table != nil {
		c.table = map[spiffeid.ID]Role{}
	}
	for text, r := range p.Table {
		id, err := spiffeid.FromString(text)
		if err != nil || r == NoRole || r >= numRoles {
			return nil, fmt.Errorf("%w: Policy.Table: %q is no SPIFFE id, or has no role", ErrConfig, text)
		}
		c.table[id] = r
	}
	for _, text := range p.Denied {
		id, err := spiffeid.FromString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: Policy.Denied: %q is no SPIFFE id", ErrConfig, text)
		}
		c.denied[id] = true
	}
	for r, s := range p.Narrow {
		if r == NoRole || r >= numRoles {
			return nil, fmt.Errorf("%w: Policy.Narrow: a role does not exist", ErrConfig)
		}
		if more := s &^ grants[r]; more != 0 {
			return nil, fmt.Errorf("%w: Policy.Narrow: %v has not %v: use Widen to add to it", ErrConfig, r, more)
		}
		c.grants[r] = s
	}
	for r, s := range p.Widen {
		if r == NoRole || r >= numRoles {
			return nil, fmt.Errorf("%w: Policy.Widen: a role does not exist", ErrConfig)
		}
		if none := s &^ every; none != 0 {
			return nil, fmt.Errorf("%w: Policy.Widen: %v gets a permission that does not exist", ErrConfig, r)
		}
		c.grants[r] |= s
	}
	return c, nil
}

// role returns the role of id.
func (p *policy) role(id spiffeid.ID) Role {
	if p.table != nil {
		return p.table[id]
	}
	return roleOf(id.Path())
}
