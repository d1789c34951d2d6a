package tokenstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/access"
)

// A Grant is a token without its secret: whose it is, and what it opens.
type Grant struct {
	Name    string      `json:"name"`
	Role    access.Role `json:"role"`
	Apps    []string    `json:"apps"`       // ids, or [access.AllApps]
	By      string      `json:"created_by"` // name of who made it
	Created time.Time   `json:"created"`
	Expires time.Time   `json:"expires,omitzero"` // zero: never
}

// stored is a grant as it stands in the bucket.
type stored struct {
	Grant
	ID   string `json:"id"`     // tells it from an earlier one of its name
	Hash string `json:"sha256"` // of the secret, in hexadecimal
}

// digest is the hash of a secret.
type digest [sha256.Size]byte

// digest reads the hash of the secret.
func (r *stored) digest() (d digest, err error) {
	n, err := hex.Decode(d[:], []byte(r.Hash))
	if err == nil && n != len(d) {
		err = errors.New("tokenstore: the hash is too short")
	}
	return d, err
}

// prefix is that of the keys of tokens in the bucket, usePrefix that of when they
// were used last.
const (
	prefix    = "token."
	usePrefix = "use."
)

// bucketKey is where a token stands. Names may have characters that keys may not.
func bucketKey(name string) string { return prefix + hex.EncodeToString([]byte(name)) }

// decode reads what stands at a key.
func decode(key string, value []byte) (*stored, error) {
	r := new(stored)
	if json.Unmarshal(value, r) != nil {
		return nil, errors.New("tokenstore: it can not be read")
	}
	if bucketKey(r.Name) != key {
		return nil, errors.New("tokenstore: it has another name")
	}
	if _, err := r.digest(); err != nil {
		return nil, err
	}
	if err := Check(r.Grant); err != nil {
		return nil, err
	}
	return r, nil
}

// A Mistake is what is wrong with one member of a grant.
type Mistake struct{ Member, Text string }

func (m *Mistake) Error() string { return fmt.Sprintf("tokenstore: %s %s", m.Member, m.Text) }

var nameOf = regexp.MustCompile(`^[A-Za-z0-9][-_.@+A-Za-z0-9]{0,63}$`)

// MaxApps is how many apps a token may name.
const MaxApps = 100

// Check returns what is wrong with a grant, a [*Mistake], or nil.
func Check(r Grant) error {
	var m *Mistake
	switch {
	case !nameOf.MatchString(r.Name):
		m = &Mistake{"name", "is not 1 to 64 letters, digits and - _ . @ +, the first of them a letter or a digit"}
	case strings.EqualFold(r.Name, string(access.Operator)):
		m = &Mistake{"name", "is that of whoever has the token of the service"}
	case !slices.Contains(access.Roles, r.Role):
		m = &Mistake{"role", fmt.Sprintf("is none of %v", access.Roles)}
	case r.Role == access.Operator && !slices.Equal(r.Apps, []string{access.AllApps}):
		m = &Mistake{"apps", `is not ["*"]: an operator sees all apps`}
	case len(r.Apps) == 0:
		m = &Mistake{"apps", `is missing: the ids of the apps that the token is for, or ["*"] for all`}
	case len(r.Apps) > MaxApps:
		m = &Mistake{"apps", fmt.Sprintf("has more than %d ids", MaxApps)}
	case len(r.Apps) > 1 && slices.Contains(r.Apps, access.AllApps):
		m = &Mistake{"apps", "has both * and ids"}
	}
	if m != nil {
		return m
	}
	return nil
}
