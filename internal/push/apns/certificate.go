package apns

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// uid is the attribute of a certificate's subject that has its topic.
var uid = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// topics is the extension of a certificate that is for several topics.
var topics = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6}

// readCertificate reads a .p12 file, or PEM with a certificate and its key. It returns
// the topic that the certificate is for, if it is for one alone.
func readCertificate(file []byte, password string, now time.Time) (c tls.Certificate, topic string, err error) {
	switch {
	case len(file) == 0:
		return c, "", errors.New("there is neither a key nor a certificate")
	case bytes.Contains(file, []byte("-----BEGIN ")):
		if c, err = tls.X509KeyPair(file, file); err != nil {
			return c, "", errors.New("the PEM file has no certificate with its key")
		}
	default:
		key, leaf, chain, err := pkcs12.DecodeChain(file, password)
		if errors.Is(err, pkcs12.ErrIncorrectPassword) {
			return c, "", errors.New("the password of the .p12 file is wrong")
		}
		if err != nil {
			return c, "", errors.New("the .p12 file can not be read")
		}
		c.PrivateKey, c.Leaf = key, leaf
		for _, one := range append([]*x509.Certificate{leaf}, chain...) {
			c.Certificate = append(c.Certificate, one.Raw)
		}
	}
	if now.After(c.Leaf.NotAfter) {
		return c, "", fmt.Errorf("the certificate has expired on %s", c.Leaf.NotAfter.Format(time.DateOnly))
	}
	if !slices.ContainsFunc(c.Leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(topics) }) {
		for _, name := range c.Leaf.Subject.Names {
			if text, ok := name.Value.(string); ok && name.Type.Equal(uid) {
				topic = text
			}
		}
	}
	return c, topic, nil
}
