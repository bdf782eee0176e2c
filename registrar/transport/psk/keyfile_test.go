// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestKeyFileLines(t *testing.T) {
	long := strings.Repeat("i", 128)
	for _, tc := range []struct {
		name, text string
		want       []string // identities
		err        string   // a part of the error
	}{
		{name: "one", text: "pe-1:" + keyA, want: []string{"pe-1"}},
		{name: "comments, blanks, CRLF", text: "# keys\r\n\r\n  pe-1:" + keyA + " \r\n#x\n", want: []string{"pe-1"}},
		{name: "sorted", text: "b:" + keyA + "\na:" + keyB, want: []string{"a", "b"}},
		{name: "colons in the identity", text: "urn:pe:1:" + keyA, want: []string{"urn:pe:1"}},
		{name: "capital digits", text: "pe-1:" + strings.ToUpper(keyB), want: []string{"pe-1"}},
		{name: "longest", text: long + ":" + strings.Repeat("ab", 256), want: []string{long}},
		{name: "UTF-8", text: "café 1:" + keyA, want: []string{"café 1"}},
		{name: "empty file", text: "", err: "there is no key in it"},
		{name: "only comments", text: "# none\n\n", err: "there is no key in it"},
		{name: "no colon", text: "\n" + keyA, err: "line 2: there is no colon"},
		{name: "no identity", text: ":" + keyA, err: "line 1: the identity is empty"},
		{name: "long identity", text: long + "i:" + keyA, err: "line 1: the identity has 129 bytes"},
		{name: "control character", text: "pe\t1:" + keyA, err: "line 1: the identity has a control character"},
		{name: "zero byte", text: "pe\x001:" + keyA, err: "line 1: the identity has a control character"},
		{name: "not UTF-8", text: "pe\xff:" + keyA, err: "line 1: the identity is not UTF-8"},
		{name: "space before the colon", text: "pe-1 :" + keyA, err: "line 1: the identity begins or ends with a space"},
		{name: "short key", text: "pe-1:" + keyA[:30], err: "line 1: the key has 15 bytes; it needs at least 16"},
		{name: "no key", text: "pe-1:", err: "line 1: the key has 0 bytes"},
		{name: "long key", text: "pe-1:" + strings.Repeat("ab", 257), err: "line 1: the key has 257 bytes; the limit is 256"},
		{name: "odd digits", text: "pe-1:" + keyA + "0", err: "line 1: the key is not hexadecimal"},
		{name: "not hexadecimal", text: "pe-1:" + keyA + "zz", err: "line 1: the key is not hexadecimal"},
		{name: "a comment behind the key", text: "pe-1:" + keyA + " # mine", err: "line 1: the key is not hexadecimal"},
		{name: "identity twice", text: "a:" + keyA + "\nb:" + keyB + "\n\na:" + keyB + "00",
			err: "line 4: its identity already has a key on line 1"},
		{name: "key twice", text: "a:" + keyA + "\nb:" + keyA, err: "line 2: its key is also that of line 1"},
		{name: "a mistake after good lines", text: "a:" + keyA + "\nb", err: "line 2: there is no colon"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keys, err := LoadKeys(keyFile(t, tc.text))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want one with %q", err, tc.err)
				}
				noKeyIn(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := keys.Identities(); !slices.Equal(got, tc.want) {
				t.Errorf("identities %q, want %q", got, tc.want)
			}
		})
	}
}

var hexRun = regexp.MustCompile(`[0-9a-fA-F]{8,}`)

// noKeyIn: an error has no run of digits that could be a part of a key. (The
// name of a test's directory is decimal, and must not count.)
func noKeyIn(t *testing.T, err error) {
	t.Helper()
	_, text, _ := strings.Cut(err.Error(), "/keys")
	if hexRun.MatchString(text) {
		t.Errorf("the error shows a part of a key: %q", text)
	}
}

func TestKeyFileMustBelongToItsOwnerAlone(t *testing.T) {
	path := keyFile(t, "pe-1:"+keyA)
	for mode := os.FileMode(0); mode <= 0o777; mode++ {
		// 0400 stays, so that the test does not depend on being root.
		if err := os.Chmod(path, mode|0o400); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(path)
		if open := mode&0o077 != 0; open != (err != nil) {
			t.Fatalf("mode %04o: %v", mode|0o400, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 0600 "+path) {
			t.Fatalf("the error does not say what to do: %v", err)
		}
	}
}

func TestKeyFileMustBeRegular(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, "/dev/null"} {
		if _, err := LoadKeys(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := LoadKeys(filepath.Join(dir, "none")); !os.IsNotExist(unwrap(err)) {
		t.Errorf("missing file: %v", err)
	}
	link := filepath.Join(dir, "link") // as a secret's mount makes them
	if err := os.Symlink(keyFile(t, "pe-1:"+keyA), link); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(link); err != nil {
		t.Errorf("a link to a key file: %v", err)
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}

func TestKeyFileTooLarge(t *testing.T) {
	path := keyFile(t, "pe-1:"+keyA)
	if err := os.Truncate(path, maxKeyFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("a file of 8 MiB: %v", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("pe-1:" + keyA + "\n# comment\n\npe-2:" + keyB))
	f.Add([]byte("a:" + keyA + "\na:" + keyB))
	f.Add([]byte(":::\xff\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseKeys(slices.Clone(text))
		if err != nil {
			if hexRun.MatchString(err.Error()) {
				t.Fatalf("the error shows a part of a key: %q", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, e := range entries {
			if n := len(e.identity); n < 1 || n > 128 || seen[e.identity] || strings.ContainsAny(e.identity, "\x00\n\r\t") {
				t.Fatalf("identity %q", e.identity)
			}
			if n := len(e.key); n < 16 || n > 256 {
				t.Fatalf("a key of %d bytes", n)
			}
			seen[e.identity] = true
		}
	})
}
