// What a person finds in the editor; ‸ is the cursor.
export const files = [
  {
    name: 'store.go',
    text: `package store

import (
	"encoding/json"
	"fmt"
	"os"
)

// Entry is one record of the store.
type Entry struct {
	Name  string \`json:"name"\`
	Value int    \`json:"value"\`
}

// Load reads entries from a file.
func Load(path string) ([]Entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	var entries []Entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return entries, nil
}

// Save writes entries to a file.
func Save(path string, entries []Entry) error {
	data, err := json.Marshal(entries)
	‸
}
`,
  },
  {
    name: 'account.py',
    text: `class Account:
    """An account with an owner and a balance."""

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        return self.balance

    def withdraw(self, amount):
        ‸
`,
  },
];
