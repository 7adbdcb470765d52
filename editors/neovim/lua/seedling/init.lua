-- Seedling in Neovim: ghost text, edits and whole functions from a model on this machine.
local M = {}

--- What setup() takes, with the defaults.
---@class seedling.Options
M.options = {
  cmd = { 'seedling', 'lsp' }, -- the program; { '/path/to/seedling', 'lsp', '--model', 'DIR' } is another
  -- Files of these types get suggestions. '*' alone: all types.
  filetypes = { 'go', 'python', 'javascript', 'javascriptreact', 'typescript', 'typescriptreact', 'c', 'cpp', 'rust', 'java' },
  settings = {}, -- the server's settings, as its README has them: { candidates = 6, … }
  -- 'own': this plugin's ghost text. 'native': Neovim's vim.lsp.inline_completion (0.12), which
  -- waits 200 ms after each key and knows nothing of parts of a suggestion.
  ghost = 'own',
  preview = true, -- functions and edits are shown, as a diff, before they are made
  next_edits = true, -- after an edit, show the places that now want the same
  -- Keys of insert mode (next_edit: of normal mode); false: none.
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    prev = '<M-[>',
    dismiss = '<C-]>',
    next_edit = '<M-n>',
  },
}

local done = false

--- Takes the options and waits for files. A second call does nothing but take the options.
---@param options? seedling.Options
function M.setup(options)
  if options then
    M.options = vim.tbl_deep_extend('force', M.options, options)
  end
  if done then
    return
  end
  if vim.fn.has('nvim-0.10') == 0 then
    vim.notify('Seedling needs Neovim 0.10 or newer', vim.log.levels.ERROR)
    return
  end
  done = true
  -- A plugin manager that has the whole repository adds this folder when it calls us: too late for
  -- Neovim to load plugin/ by itself, and it knows nothing of the help.
  vim.cmd.runtime('plugin/seedling.lua')
  local doc = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p')))) .. '/doc'
  if vim.fn.filereadable(doc .. '/tags') == 0 then
    pcall(vim.cmd.helptags, doc) -- a folder that is not ours to write has been installed with its tags
  end
  local hl = vim.api.nvim_set_hl
  hl(0, 'SeedlingGhost', { link = 'Comment', default = true })
  hl(0, 'SeedlingHint', { link = 'NonText', default = true })
  hl(0, 'SeedlingNextEdit', { link = 'DiffChange', default = true })
  local group = vim.api.nvim_create_augroup('seedling', {})
  local function start(buf)
    require('seedling.client').attach(buf)
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(args)
      start(args.buf)
    end,
  })
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then
      start(buf)
    end
  end
end

--- For a status line: 'ready', 'thinking', 'paused', 'failed', 'starting', or '' in a buffer
--- without Seedling.
---@return string
function M.statusline()
  local client = package.loaded['seedling.client']
  if not client or not client.of(0) then
    return ''
  end
  return 'seedling: ' .. client.state()
end

--- Takes the suggestion, all of it. False where none is shown.
---@return boolean
function M.accept()
  return require('seedling.ghost').accept('all')
end

function M.accept_word()
  return require('seedling.ghost').accept('word')
end

function M.accept_line()
  return require('seedling.ghost').accept('line')
end

return M
