package lsp

import (
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// secretFiles are the names of files that are there to hold secrets, in lower case: globs of
// a name, or of a folder and a name.
var secretFiles = []string{
	".env", ".env.*", ".env-*", "*.env", ".envrc",
	"*.{pem,key,p8,p12,pfx,pkcs12,ppk,jks,keystore,kdb,kdbx,agekey,gpg,keytab,ovpn}",
	"id_{rsa,dsa,ecdsa,ed25519,xmss}*", "ssh_host_*_key", "{deploy,private}{_,-}key", ".ssh/*", ".gnupg/*",
	"{.,_}netrc", ".pgpass", "pgpass.conf", ".my.cnf", ".mylogin.cnf", ".htpasswd", ".s3cfg", ".boto", ".vault-token", "master.key",
	".git-credentials", ".pypirc", ".npmrc", ".gem/credentials", ".bundle/config", ".dockercfg", ".docker/config.json", ".terraformrc", "terraform.rc",
	"kubeconfig{,.*}", "*.kubeconfig", ".kube/*", ".aws/{credentials,config}", ".azure/*", "gh/hosts.yml",
	"{,*.,*_,*-}credentials{,.*}", "client_secret*.json", "service{-,_,}account*.json", "*firebase-adminsdk*.json",
	"{,*.,*_,*-}secret{,s}", "{,*.,*_,*-}secret{,s}.{json,yml,yaml,toml,ini,cfg,conf,properties,xml,txt,enc}",
	"*.tfvars{,.json}", "*.tfstate{,.*}", "wp-config.php", "local.settings.json",
}

// openFiles have such names and hold no secrets: what people keep for others to copy,
// public halves of keys, documentation, and code about credentials.
var openFiles = []string{
	"*.{example,sample,template,tmpl,tpl,dist,defaults,schema,pub,md,rst}", "*.{example,sample,template}.*", ".ssh/{config,known_hosts,known_hosts.old,authorized_keys}",
	"*credentials.{go,py,pyi,js,mjs,ts,tsx,jsx,java,kt,scala,rs,rb,c,cc,cpp,h,hpp,cs,fs,php,swift,ex,exs,erl,clj,dart,lua,html,css,scss,vue,svelte}",
}

// copies are the ends that editors and people give to the names of copies.
var copies = []string{"~", ".bak", ".old", ".orig", ".backup", ".save"}

// holdsSecrets says whether a file of this name usually holds secrets. Whether it really
// does is not looked at: a person who opens .env has not agreed yet to have it read.
func holdsSecrets(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	base := path.Base(name)
	for i := 0; i < len(copies); i++ {
		if cut, ok := strings.CutSuffix(base, copies[i]); ok && cut != "" {
			base, i = cut, -1
		}
	}
	two := path.Base(path.Dir(name)) + "/" + base
	is := func(glob string) bool {
		of := base
		if strings.Contains(glob, "/") {
			of = two
		}
		ok, err := doublestar.Match(glob, of)
		return ok && err == nil
	}
	return slices.ContainsFunc(secretFiles, is) && !slices.ContainsFunc(openFiles, is)
}
