package bundle

// These tests are inside of the package because they make PKCS#12 files of their own, with its types.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/internal/pki"
)

var (
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidPBES2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidPBMAC1        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidHMACSHA256    = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidPBE3DES       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
)

const testPassword = "secret-pfx"

type pbkdf2Params struct {
	Salt   []byte
	Rounds int64
	PRF    pkix.AlgorithmIdentifier
}

type keyedPBKDF2Params struct {
	Salt   []byte
	Rounds int64
	Length int
	PRF    pkix.AlgorithmIdentifier
}

// der marshals and cannot fail on what these tests give it.
func der(value any) []byte {
	out, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return out
}

func raw(value any) asn1.RawValue { return asn1.RawValue{FullBytes: der(value)} }

func explicit(value any) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der(value)}
}

// pbes2 encrypts plain with few rounds, and claims some.
func pbes2(plain []byte, claimed int64) (pkix.AlgorithmIdentifier, []byte) {
	const rounds = 10
	salt, iv := []byte("saltsalt"), make([]byte, aes.BlockSize)
	key, err := pbkdf2.Key(sha256.New, testPassword, salt, rounds, 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	encrypted := pad(plain, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(encrypted, encrypted)
	if claimed == 0 {
		claimed = rounds
	}
	kdf := pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: raw(pbkdf2Params{salt, claimed, pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256}})}
	scheme := pkix.AlgorithmIdentifier{Algorithm: oidAES256CBC, Parameters: raw(iv)}
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: raw([]pkix.AlgorithmIdentifier{kdf, scheme})}, encrypted
}

func pad(plain []byte, size int) []byte {
	n := size - len(plain)%size
	return append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
}

func certBag(cert *x509.Certificate) pkcs12Bag {
	return pkcs12Bag{Type: oidCertBag, Value: explicit(struct {
		Type asn1.ObjectIdentifier
		Data asn1.RawValue
	}{oidX509, explicit(cert.Raw)})}
}

func shroudedBag(pkcs8 []byte, claimed int64) pkcs12Bag {
	algorithm, encrypted := pbes2(pkcs8, claimed)
	return pkcs12Bag{Type: oidShroudedBag, Value: explicit(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{algorithm, encrypted})}
}

func plainPart(bags ...pkcs12Bag) pkcs12Part {
	return pkcs12Part{Type: oidData, Content: explicit(der(bags))}
}

func encryptedPart(claimed int64, bags ...pkcs12Bag) pkcs12Part {
	algorithm, encrypted := pbes2(der(bags), claimed)
	return encryptedPartBy(algorithm, encrypted)
}

func encryptedPartBy(algorithm pkix.AlgorithmIdentifier, encrypted []byte) pkcs12Part {
	type content struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      asn1.RawValue
	}
	return pkcs12Part{Type: oidEncryptedData, Content: explicit(struct {
		Version int
		Content content
	}{0, content{oidData, algorithm, asn1.RawValue{Class: asn1.ClassContextSpecific, Bytes: encrypted}}})}
}

// pkcs12Of writes a file with an authentication code for the password in the given form.
func pkcs12Of(t testing.TB, keyed []byte, parts ...pkcs12Part) []byte {
	t.Helper()
	content := der(parts)
	mac, err := marshalMAC(content, keyed)
	if err != nil {
		t.Fatal(err)
	}
	return pkcs12With(content, mac)
}

func pkcs12With(content, mac []byte) []byte {
	return der(pkcs12File{Version: 3, AuthSafe: pkcs12Part{Type: oidData, Content: explicit(content)}, MAC: asn1.RawValue{FullBytes: mac}})
}

type digest struct {
	Algorithm pkix.AlgorithmIdentifier
	Value     []byte
}

// legacyMAC claims rounds and is wrong.
func legacyMAC(rounds int64) []byte {
	return der(struct {
		Digest digest
		Salt   []byte
		Rounds int64
	}{digest{pkix.AlgorithmIdentifier{Algorithm: oidSHA256}, make([]byte, 32)}, []byte("salt"), rounds})
}

type testIdentity struct {
	authority, cert *x509.Certificate
	pkcs8           []byte
}

func newTestIdentity(t testing.TB) testIdentity {
	t.Helper()
	authority, err := pki.NewAuthority("ca.test", pki.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Issue(pki.Leaf{CommonName: "client", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(client.Key)
	if err != nil {
		t.Fatal(err)
	}
	return testIdentity{authority.Certificate(), client.Certificate, pkcs8}
}

// The order of the parts is that of OpenSSL in one and that of Java in the other; and the writer of these tests is shown to be right.
func TestPKCS12InEitherOrder(t *testing.T) {
	t.Parallel()
	id := newTestIdentity(t)
	certs, key := encryptedPart(0, certBag(id.authority), certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, 0))
	for name, file := range map[string][]byte{
		"certificates first": pkcs12Of(t, bmpPassword(testPassword), certs, key),
		"key first":          pkcs12Of(t, bmpPassword(testPassword), key, certs),
		"nothing encrypted":  pkcs12Of(t, bmpPassword(testPassword), plainPart(certBag(id.cert), certBag(id.authority)), key),
		"one part":           pkcs12Of(t, bmpPassword(testPassword), plainPart(shroudedBag(id.pkcs8, 0), certBag(id.cert))),
	} {
		s, err := parsePKCS12(file, testPassword)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if identity, err := s.identity(); err != nil || !identity.Leaf.Equal(id.cert) {
			t.Errorf("%s: identity %v, %v", name, identity.Leaf, err)
		}
		if _, err := parsePKCS12(file, "wrong"); !errors.Is(err, errPassword) {
			t.Errorf("%s: wrong password: %v", name, err)
		}
	}
}

// Without the bound each of these runs for centuries, so a failure is a time-out.
func TestPKCS12Bombs(t *testing.T) {
	t.Parallel()
	id := newTestIdentity(t)
	password := bmpPassword(testPassword)
	certs, key := encryptedPart(0, certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, 0))
	content := der([]pkcs12Part{certs, key})

	hmacSHA256 := pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256}
	pbmac1 := pkix.AlgorithmIdentifier{Algorithm: oidPBMAC1, Parameters: raw([]pkix.AlgorithmIdentifier{
		{Algorithm: oidPBKDF2, Parameters: raw(keyedPBKDF2Params{[]byte("salt"), math.MaxInt64, 32, hmacSHA256})}, hmacSHA256,
	})}

	for name, file := range map[string][]byte{
		"authentication code":          pkcs12With(content, legacyMAC(math.MaxInt64)),
		"authentication code, 32 bits": pkcs12With(content, legacyMAC(math.MaxInt32)),
		"authentication code by PBMAC1": pkcs12With(content, der(struct {
			Digest digest
			Salt   []byte
		}{digest{pbmac1, make([]byte, 32)}, []byte("salt")})),
		"encrypted part":                        pkcs12Of(t, password, encryptedPart(math.MaxInt64, certBag(id.cert)), key),
		"key":                                   pkcs12Of(t, password, certs, plainPart(shroudedBag(id.pkcs8, math.MaxInt64))),
		"second key":                            pkcs12Of(t, password, certs, plainPart(shroudedBag(id.pkcs8, 0), shroudedBag(id.pkcs8, math.MaxInt64))),
		"hidden key and one in plain":           pkcs12Of(t, password, encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64), certBag(id.cert)), key),
		"hidden key alone":                      pkcs12Of(t, password, encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64), certBag(id.cert))),
		"hidden key and certificates in plain":  pkcs12Of(t, password, encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64)), plainPart(certBag(id.cert))),
		"hidden key in both of two":             pkcs12Of(t, password, encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64)), encryptedPart(0, certBag(id.cert))),
		"many rounds in many parts":             pkcs12Of(t, password, encryptedPart(maxRounds/2, certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, maxRounds/2))),
		"hidden key, empty password":            pkcs12Of(t, bmpPassword(""), encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64)), key),
		"hidden key, no authentication code":    pkcs12With(der([]pkcs12Part{encryptedPart(0, shroudedBag(id.pkcs8, math.MaxInt64)), key}), nil),
		"rounds hidden by a negative number":    pkcs12Of(t, password, encryptedPart(math.MinInt64, certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, math.MaxInt64))),
		"a structure nested a thousand fold":    nested(1000),
		"a structure nested through the limits": pkcs12With(nested(8000), nil),
	} {
		for _, password := range []string{testPassword, ""} {
			if _, err := parsePKCS12(file, password); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
}

func nested(depth int) []byte {
	value := asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true}
	for range depth {
		value.Bytes = der(value)
	}
	return der(value)
}

// Java 8 to 15 wrote 50,000 rounds for each of two parts and 100,000 for the authentication code.
func TestPKCS12RoundsOfJava(t *testing.T) {
	t.Parallel()
	id := newTestIdentity(t)
	parts := []pkcs12Part{encryptedPart(50_000, certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, 50_000))}
	read, err := readPKCS12(pkcs12With(der(parts), legacyMAC(100_000)))
	if err != nil || read.rounds < 200_000 || read.rounds > maxRounds {
		t.Errorf("%d rounds, %v", read.rounds, err)
	}
}

// Some writers take the empty password for no bytes at all where others take it for a terminator alone. With the older algorithms that matters.
func TestPKCS12EmptyPasswordWithoutTerminator(t *testing.T) {
	t.Parallel()
	id := newTestIdentity(t)
	const rounds = 3
	salt := []byte("saltsalt")
	encrypt := func(plain []byte) (pkix.AlgorithmIdentifier, []byte) {
		block, err := des.NewTripleDESCipher(deriveSHA1(salt, rounds, 1, 24))
		if err != nil {
			t.Fatal(err)
		}
		encrypted := pad(plain, des.BlockSize)
		cipher.NewCBCEncrypter(block, deriveSHA1(salt, rounds, 2, 8)).CryptBlocks(encrypted, encrypted)
		return pkix.AlgorithmIdentifier{Algorithm: oidPBE3DES, Parameters: raw(struct {
			Salt   []byte
			Rounds int
		}{salt, rounds})}, encrypted
	}
	algorithm, encryptedCerts := encrypt(der([]pkcs12Bag{certBag(id.cert)}))
	_, encryptedKey := encrypt(id.pkcs8)
	key := pkcs12Bag{Type: oidShroudedBag, Value: explicit(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{algorithm, encryptedKey})}
	file := pkcs12Of(t, nil, encryptedPartBy(algorithm, encryptedCerts), plainPart(key))

	s, err := parsePKCS12(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if identity, err := s.identity(); err != nil || !identity.Leaf.Equal(id.cert) {
		t.Errorf("identity %v, %v", identity.Leaf, err)
	}
}

// deriveSHA1 derives a key from a password of no bytes by RFC 7292, appendix B.
func deriveSHA1(salt []byte, rounds int, purpose byte, size int) []byte {
	const block = 64
	input := bytes.Repeat(salt, block/len(salt))
	var out []byte
	for len(out) < size {
		sum := sha1.Sum(append(bytes.Repeat([]byte{purpose}, block), input...))
		for range rounds - 1 {
			sum = sha1.Sum(sum[:])
		}
		out = append(out, sum[:]...)
		b := new(big.Int).SetBytes(append(bytes.Repeat(sum[:], block/len(sum)), sum[:block%len(sum)]...))
		next := new(big.Int).SetBytes(input)
		next.Add(next.Add(next, b), big.NewInt(1))
		next.Mod(next, new(big.Int).Lsh(big.NewInt(1), 8*block))
		input = next.FillBytes(make([]byte, block))
	}
	return out[:size]
}

func TestPKCS12Refusals(t *testing.T) {
	t.Parallel()
	id := newTestIdentity(t)
	password := bmpPassword(testPassword)
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"empty sequence":      {[]byte{0x30, 0}, "damaged"},
		"data after the end":  {append(pkcs12Of(t, password, plainPart(certBag(id.cert))), 0), "damaged"},
		"truncated":           {pkcs12Of(t, password, plainPart(certBag(id.cert)))[:100], "damaged"},
		"no parts":            {pkcs12Of(t, password), "without a private key"},
		"no key":              {pkcs12Of(t, password, plainPart(certBag(id.cert))), "without a private key"},
		"no certificate":      {pkcs12Of(t, password, plainPart(shroudedBag(id.pkcs8, 0))), "certificate missing"},
		"three parts":         {pkcs12Of(t, password, plainPart(), plainPart(certBag(id.cert)), plainPart(shroudedBag(id.pkcs8, 0))), "3"},
		"garbage for a key":   {pkcs12Of(t, password, plainPart(certBag(id.cert), shroudedBag([]byte("garbage"), 0))), "cannot be opened"},
		"protected by a key":  {der(pkcs12File{Version: 3, AuthSafe: pkcs12Part{Type: oidEncryptedData, Content: explicit([]byte{})}}), "not protected by a password"},
		"nothing but numbers": {der([]int{3, 3, 3}), "damaged"},
	} {
		if _, err := parsePKCS12(test.file, testPassword); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
}
