package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"cusme.dev/cusme/internal/push"
)

// pushFlags are those of receiving loads.
func pushFlags(cmd *cobra.Command, o *push.Options) {
	f := cmd.Flags()
	f.StringVar(&o.Address, "push-address", "", "`address` that receives pushed loads over HTTPS, such as :8443; default none")
	f.StringVar(&o.CertFile, "push-cert", "", "PEM `file` with the certificate for pushed loads, read again when it changes; default one that cusme signs, whose CA is in the ConfigMap cusme-push-ca of the Lease's namespace")
	f.StringVar(&o.KeyFile, "push-key", "", "PEM `file` with the key of --push-cert")
	f.StringArrayVar(&o.Hosts, "push-host", nil, "`name` or IP address for the certificate that cusme signs, beside cusme-push.<namespace>.svc; repeatable")
	f.StringVar(&o.Audience, "push-audience", "", "`audience` that senders' tokens must be for, such as cusme-push, so that they are good for nothing else; default the API server's own")
}

// checkPush refuses flags that no retry would mend.
func checkPush(o push.Options) error {
	given := o.CertFile != "" || o.KeyFile != "" || len(o.Hosts) > 0 || o.Audience != ""
	switch {
	case o.Address == "" && given:
		return misuseError{errors.New("--push-cert, --push-key, --push-host and --push-audience are about --push-address, which is not given"), ""}
	case o.Address == "":
		return nil
	case (o.CertFile == "") != (o.KeyFile == ""):
		return misuseError{errors.New("--push-cert and --push-key come together: give both, or neither"), ""}
	case o.CertFile != "" && len(o.Hosts) > 0:
		return misuseError{errors.New("--push-host is for the certificate that cusme signs, and --push-cert gives another"), ""}
	}
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return misuseError{fmt.Errorf("--push-address: expected HOST:PORT, such as :8443, got %q", o.Address), ""}
	}
	return nil
}
