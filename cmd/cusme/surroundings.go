package main

import (
	"io"

	"github.com/spf13/cobra"
)

// surroundings are those of the program, as a verb sees them.
type surroundings struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// connect takes the streams that a command was called with.
func (s *surroundings) connect(cmd *cobra.Command) {
	s.stdin, s.stdout, s.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
}
