package admin

import (
	"crypto/rand"
	"fmt"

	"github.com/belfryhq/belfry/internal/datadir"
)

// TokenFile is the name of a file in the data directory.
const TokenFile = "admin-token"

// Token returns the token that the data directory keeps, which only its owner
// can read. If there is none yet it makes one; made is then true.
func Token(dir string) (token string, made bool, err error) {
	token, made, err = datadir.Text(dir, TokenFile, func() string { return rand.Text() + rand.Text() })
	if err != nil {
		return "", false, fmt.Errorf("admin: %w", err)
	}
	return token, made, nil
}
