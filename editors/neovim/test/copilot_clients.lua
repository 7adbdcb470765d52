-- Clients that were written for Copilot's language server, pointed at Seedling as they are:
--
--   SEEDLING=… SIDEKICK=FOLDER COPILOT_LSP=FOLDER nvim --clean --headless -l editors/neovim/test/copilot_clients.lua
--
-- SIDEKICK is a checkout of folke/sidekick.nvim, COPILOT_LSP one of copilotlsp-nvim/copilot-lsp.
-- Wants Neovim 0.11.2 or newer. Run by hand: CI has no way to these plugins.
local api = vim.api

local function fail(what)
  io.stderr:write('FAIL  ' .. what .. '\n')
  os.exit(1)
end

local function wait(what, fn)
  if not vim.wait(30000, fn, 20) then
    fail('never: ' .. what)
  end
end

local folder = assert(os.getenv(arg[1] == 'copilot-lsp' and 'COPILOT_LSP' or 'SIDEKICK'), 'name the folder of the plugin')
vim.opt.rtp:prepend(folder)
vim.o.swapfile = false
local dir = vim.fn.tempname()
vim.fn.mkdir(dir, 'p')
local function file(name, lines)
  vim.fn.writefile(lines, dir .. '/' .. name)
  return dir .. '/' .. name
end
local other = file('other.go', { 'package shop', '', 'func twice(n int) int { return total(n) + total(n) }' })
local main = file('main.go', { 'package shop', '', 'func total(n int) int {', '\treturn n', '}', '', 'func all(n int) int {', '\treturn total(n) + 1', '}' })

local config = {
  name = 'copilot',
  cmd = { assert(os.getenv('SEEDLING'), 'SEEDLING is the program'), 'lsp' },
  root_dir = dir,
  init_options = { editorInfo = { name = 'Neovim', version = tostring(vim.version()) }, editorPluginInfo = { name = 'Neovim', version = '1' } },
}
local sidekick = arg[1] ~= 'copilot-lsp'
if sidekick then
  require('sidekick').setup({ nes = { debounce = 10 }, copilot = { status = { enabled = true } } })
  require('sidekick.nes').enable() -- it does so itself once Neovim has started
else
  vim.g.copilot_nes_debounce = 10
  local own = dofile(folder .. '/lsp/copilot_ls.lua') -- as it is, but for the program
  own.cmd, own.root_dir = config.cmd, dir
  config = own
end

for _, f in ipairs({ other, main }) do
  vim.cmd.edit(f)
  vim.bo.filetype = 'go'
  vim.lsp.start(config)
end
wait('a client', function()
  local c = vim.lsp.get_clients({ bufnr = 0 })[1]
  return c and c.initialized
end)
local buf = api.nvim_get_current_buf()

-- A person renames the function where it is declared.
api.nvim_win_set_cursor(0, { 3, 5 })
local function lines()
  return table.concat(api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
end
local wanted = 'package shop\n\nfunc sum(n int) int {\n\treturn n\n}\n\nfunc all(n int) int {\n\treturn sum(n) + 1\n}'
api.nvim_buf_set_text(buf, 2, 5, 2, 10, { 'sum' })

if sidekick then
  local nes = require('sidekick.nes')
  wait('the next edit', function()
    if not nes.have() then
      api.nvim_exec_autocmds('TextChanged', { buffer = buf })
      vim.wait(200)
    end
    return nes.have()
  end)
  for _, e in ipairs(nes._edits) do
    if vim.uri_to_bufnr(e.textDocument.uri) ~= buf then
      print('elsewhere:', e.textDocument.uri, e.text)
    end
  end
  if not nes.apply() then
    fail('nothing was applied')
  end
else
  local nes = require('copilot-lsp.nes')
  wait('the next edit', function()
    if not vim.b[buf].nes_state then
      api.nvim_exec_autocmds('TextChanged', { buffer = buf })
      vim.wait(200)
    end
    return vim.b[buf].nes_state
  end)
  if vim.uri_to_bufnr(vim.b[buf].nes_state.textDocument.uri) ~= buf then
    fail('it is drawn in a buffer that it is not for')
  end
  nes.walk_cursor_start_edit(buf)
  vim.wait(100)
  if not nes.apply_pending_nes(buf) then
    fail('nothing was applied')
  end
end
wait('the use that is renamed, and it is\n' .. lines(), function()
  return lines() == wanted
end)
print('ok    ' .. (sidekick and 'sidekick.nvim' or 'copilot-lsp') .. ' shows a next edit and applies it')

-- What is left is for another file: it must not be drawn in this one.
if not sidekick then
  for _ = 1, 3 do
    api.nvim_exec_autocmds('TextChanged', { buffer = buf })
    vim.wait(300)
  end
  local s = vim.b[buf].nes_state
  if s and vim.uri_to_bufnr(s.textDocument.uri) ~= buf then
    fail('the edit of another file is drawn in this one')
  end
  print('ok    and draws none of another file')
end
os.exit(0)
