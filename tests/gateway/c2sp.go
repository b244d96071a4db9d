// Judges checkpoints and proofs of the audit journal with the library that signed notes and
// tlog checkpoints come from (Debian: golang-golang-x-mod-dev); nothing of ours is in it.
//
//	c2sp KEY checkpoint <checkpoint    prints its origin and size
//	c2sp KEY proof <proof              prints its origin, and the record that it proves
//
// It ends with 1 when it does not accept what it is given.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint is what a signed note of c2sp.org/tlog-checkpoint states.
type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
}

func open(signed, key string) (checkpoint, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return checkpoint{}, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return checkpoint{}, errors.New("no checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return checkpoint{lines[0], size, root}, err
}

// prove gives back the record that a proof of c2sp.org/tlog-proof proves, and its tree.
func prove(proof, key string) (string, checkpoint, error) {
	head, signed, found := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return "", checkpoint{}, errors.New("no proof")
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return "", checkpoint{}, errors.New("no record")
	}
	extra, number := strings.TrimPrefix(lines[1], "extra "), strings.TrimPrefix(lines[2], "index ")
	record, err := base64.StdEncoding.DecodeString(extra)
	if err != nil {
		return "", checkpoint{}, err
	}
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return "", checkpoint{}, err
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return "", checkpoint{}, err
		}
		path = append(path, hash)
	}
	tree, err := open(signed, key)
	if err != nil {
		return "", checkpoint{}, err
	}
	err = tlog.CheckRecord(path, tree.size, tree.root, index, tlog.RecordHash(record))
	return string(record), tree, err
}

func main() {
	key := strings.TrimSpace(os.Args[1])
	text, err := io.ReadAll(os.Stdin)
	if err == nil && os.Args[2] == "checkpoint" {
		var said checkpoint
		if said, err = open(string(text), key); err == nil {
			fmt.Println(said.origin, said.size)
		}
	} else if err == nil {
		var record string
		var said checkpoint
		if record, said, err = prove(string(text), key); err == nil {
			fmt.Println(said.origin, record)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
