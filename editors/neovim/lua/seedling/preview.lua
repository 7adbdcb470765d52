-- What an edit would change, shown before it is made.
local M = {}

local api = vim.api

--- The changes as a unified diff without its file names.
local function diff_of(edit, encoding)
  local out = {}
  local function add(uri, edits)
    local buf = vim.uri_to_bufnr(uri)
    vim.fn.bufload(buf)
    local before = api.nvim_buf_get_lines(buf, 0, -1, false)
    local copy = api.nvim_create_buf(false, true)
    api.nvim_buf_set_lines(copy, 0, -1, false, before)
    vim.lsp.util.apply_text_edits(vim.deepcopy(edits), copy, encoding)
    local after = api.nvim_buf_get_lines(copy, 0, -1, false)
    api.nvim_buf_delete(copy, { force = true })
    local diff = vim.text and vim.text.diff or vim.diff
    local text = diff(table.concat(before, '\n') .. '\n', table.concat(after, '\n') .. '\n', { ctxlen = 2 })
    vim.list_extend(out, vim.split(vim.trim(text), '\n', { plain = true }))
  end
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.edits then
      add(change.textDocument.uri, change.edits)
    end
  end
  for uri, edits in pairs(edit.changes or {}) do
    add(uri, edits)
  end
  return out
end

--- Shows an edit, and calls back with whether a person takes it.
---@param edit lsp.WorkspaceEdit
---@param decide fun(yes: boolean)
function M.show(edit, encoding, label, decide)
  local lines = diff_of(edit, encoding)
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].filetype, vim.bo[buf].modifiable, vim.bo[buf].bufhidden = 'diff', false, 'wipe'
  local width = 40
  for _, l in ipairs(lines) do
    width = math.max(width, api.nvim_strwidth(l) + 8) -- a tab or two
  end
  local win = api.nvim_open_win(buf, true, {
    relative = 'cursor',
    row = 1,
    col = 0,
    width = math.min(width, vim.o.columns - 4),
    height = math.max(1, math.min(#lines, math.floor(vim.o.lines / 2))),
    style = 'minimal',
    border = 'rounded',
    title = ' ' .. label .. ' ',
    footer = ' Enter: take it, q: leave it ',
  })
  local decided = false
  local function close(yes)
    if decided then
      return
    end
    decided = true
    if api.nvim_win_is_valid(win) then
      api.nvim_win_close(win, true)
    end
    decide(yes)
  end
  for keys, yes in pairs({ ['<CR>'] = true, y = true, q = false, n = false, ['<Esc>'] = false }) do
    vim.keymap.set('n', keys, function()
      close(yes)
    end, { buffer = buf, nowait = true })
  end
  api.nvim_create_autocmd({ 'WinLeave', 'BufWipeout' }, {
    buffer = buf,
    callback = function()
      vim.schedule(function()
        close(false)
      end)
    end,
  })
end

--- Answers a workspace/applyEdit of the server when a person has decided. Neovim runs such
--- handlers in a coroutine.
function M.apply_edit(_, params, ctx)
  local take = vim.lsp.handlers['workspace/applyEdit']
  local co = coroutine.running()
  if not require('seedling').options.preview or not co then
    return take(nil, params, ctx)
  end
  local c = assert(vim.lsp.get_client_by_id(ctx.client_id))
  M.show(params.edit, c.offset_encoding, 'Seedling: ' .. (params.label or 'an edit'), function(yes)
    vim.schedule(function()
      assert(coroutine.resume(co, yes))
    end)
  end)
  if coroutine.yield() then
    return take(nil, params, ctx)
  end
  return { applied = false, failureReason = 'not taken' }
end

return M
