-- Drives Helix in a terminal that Neovim keeps:
--
--   SEEDLING=…/seedling HELIX=…/hx nvim --clean --headless -l editors/helix/test.lua
local here = vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p'))
local dir = vim.fn.tempname()
vim.fn.mkdir(dir .. '/config/helix', 'p')
vim.fn.mkdir(dir .. '/bin', 'p')
vim.uv.fs_symlink(vim.env.SEEDLING, dir .. '/bin/seedling')
vim.uv.fs_copyfile(here .. '/languages.toml', dir .. '/config/helix/languages.toml')
vim.fn.writefile({ '[editor]', 'idle-timeout = 50', 'completion-timeout = 5' }, dir .. '/config/helix/config.toml')
local file = dir .. '/load.go'
vim.fn.writefile({
  'package load',
  '',
  'import "os"',
  '',
  'func read(path string) (string, error) {',
  '\tb, err := os.ReadFile(path)',
  '\tif err != nil {',
  '\t\treturn "", err',
  '\t}',
  '\treturn string(b), nil',
  '}',
  '',
  'func size(path string) (int, error) {',
  '\tb, err := os.ReadFile(path)',
  '}',
  '',
  '// name is the name of the file.',
  'func name(path string) string {',
  '}',
}, file)
vim.o.columns, vim.o.lines = 100, 40
local buf = vim.api.nvim_create_buf(false, true)
vim.api.nvim_win_set_buf(0, buf)
local env = { XDG_CONFIG_HOME = dir .. '/config', XDG_CACHE_HOME = dir, XDG_STATE_HOME = dir, PATH = dir .. '/bin:' .. vim.env.PATH, TERM = 'xterm-256color' }
local job = vim.api.nvim_buf_call(buf, function()
  return vim.fn.termopen({ vim.env.HELIX or 'hx', file .. ':14:99' }, { env = env, cwd = dir })
end)
local function screen()
  return table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
end
local function text()
  return table.concat(vim.fn.readfile(file), '\n')
end
local function send(keys)
  vim.fn.chansend(job, keys)
end
local function eventually(what, fn)
  if not vim.wait(30000, fn, 20) then
    io.write(('FAIL  never: %s\n%s\n'):format(what, screen()))
    vim.fn.jobstop(job)
    os.exit(1)
  end
end
local function has(s)
  return function()
    return screen():find(s, 1, true) ~= nil
  end
end
eventually('the file', has('func size'))
vim.wait(1500) -- Helix says nowhere that its server is ready
send('o')
for _, k in ipairs({ 'i', 'f', ' ', 'e', 'r', 'r', ' ' }) do
  send(k)
  vim.wait(60)
end
-- The first function has such a line, too: each is counted.
local function times(of, s)
  return select(2, of:gsub(vim.pesc(s), ''))
end
eventually('an entry of the completion list', function()
  return times(screen(), '!= nil') == 2
end)
send('\t') -- chooses it
eventually('the entry in the line', function()
  return screen():find('\n *15 +if err != nil') ~= nil
end)
send('\r')
vim.wait(200)
send('\27')
vim.wait(200)
send(':w\r')
eventually('the file with it', function()
  return times(text(), '\tif err != nil') == 2
end)
assert(not text():find('err err', 1, true), text())
io.write('ok    a completion is offered and taken\n')

send('/func name\r')
vim.wait(300)
local asked = 0
eventually('the code action', function()
  if vim.uv.now() - asked > 3000 then -- on a busy machine a menu that is still open swallows keys
    asked = vim.uv.now()
    send('\27')
    vim.wait(200)
    send(' a') -- code actions
  end
  return has('write this function')()
end)
send('\r')
eventually('a body', function()
  send('\27')
  vim.wait(200) -- else it is Alt and a colon
  send(':w\r')
  vim.wait(300)
  return text():find('func name%(path string%) string {\n\t[^\n]+') ~= nil
end)
io.write('ok    a function is written by code action\n')
send(':q!\r')
vim.fn.jobstop(job)
vim.fn.delete(dir, 'rf')
io.write('helix ' .. vim.trim(vim.fn.system({ vim.env.HELIX or 'hx', '--version' })) .. '\n')
os.exit(0)
