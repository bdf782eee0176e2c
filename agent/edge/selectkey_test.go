// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSelectionKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	notHex := "selection key file " + file + " is not one line of 32 to 512 hexadecimal digits, such as `openssl rand -hex 32` prints"
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string // "": taken
	}{
		{"16 bytes", strings.Repeat("0a", 16) + "\n", 0o600, ""},
		{"256 bytes", strings.Repeat("0A", 256) + "\n", 0o400, ""},
		{"15 bytes", strings.Repeat("0a", 15), 0o600, notHex},
		{"257 bytes", strings.Repeat("0a", 257), 0o600, notHex},
		{"no key", "", 0o600, notHex},
		{"an identity before it", "pe-1:" + strings.Repeat("0a", 16), 0o600, notHex},
		{"two lines", strings.Repeat("0a", 16) + "\n" + strings.Repeat("0b", 16), 0o600, notHex},
		{"open to others", strings.Repeat("0a", 16), 0o640,
			"selection key file " + file + " has mode 0640, so that others than its owner may use it; run: chmod 0600 " + file},
	} {
		if err := os.WriteFile(file, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		key, err := SelectionConfig{KeyFile: file, Rotate: time.Hour}.load()
		switch {
		case tt.want == "" && (err != nil || key.Secret[0] != 0x0a || key.Rotate != time.Hour || 2*len(key.Secret) != len(strings.TrimSpace(tt.text))):
			t.Errorf("%s: %x, %v", tt.name, key.Secret, err)
		case tt.want != "" && (err == nil || err.Error() != tt.want):
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (SelectionConfig{KeyFile: file}).load(); err == nil || err.Error() != "selection key file: open "+file+": no such file or directory" {
		t.Errorf("no file: %v", err)
	}
	if _, err := (SelectionConfig{KeyFile: filepath.Dir(file)}).load(); err == nil || err.Error() != "selection key file "+filepath.Dir(file)+" is not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	if key, err := (SelectionConfig{}).load(); err != nil || key.Secret != nil {
		t.Errorf("none: %v, %v", key, err)
	}
}
