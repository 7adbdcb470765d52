-- Next edits: after an edit, the places that now want the same. Shown where they are; one key
-- jumps to the nearest, and takes it when pressed there.
local M = {}

local api = vim.api
local client = require('seedling.client')
local namespace = api.nvim_create_namespace('seedling.nextedit')

local offered = {} ---@type table<integer, {tick: integer, edits: table[], elsewhere: table?, client: integer}>

local function forget(buf)
  offered[buf] = nil
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

local function byte(buf, p, encoding)
  local ok, b = pcall(vim.lsp.util._get_line_byte_from_position, buf, p, encoding)
  return ok and b or p.character
end

local function show(buf, c, edits)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  for _, e in ipairs(edits) do
    local from, to = e.range.start, e.range['end']
    api.nvim_buf_set_extmark(buf, namespace, from.line, byte(buf, from, c.offset_encoding), {
      end_row = to.line,
      end_col = byte(buf, to, c.offset_encoding),
      hl_group = 'SeedlingNextEdit',
      virt_text = { { '→ ' .. e.text:gsub('\n.*', ' …'), 'SeedlingGhost' } },
      virt_text_pos = 'eol',
      strict = false,
    })
  end
end

-- Nothing is left to do here: the way to the next file stands behind the cursor's line.
local function show_elsewhere(buf, e)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  local name = vim.fs.basename(vim.uri_to_fname(e.textDocument.uri))
  api.nvim_buf_set_extmark(buf, namespace, api.nvim_win_get_cursor(0)[1] - 1, 0, {
    virt_text = { { ('→ %s:%d'):format(name, e.range.start.line + 1), 'SeedlingGhost' } },
    virt_text_pos = 'eol',
  })
end

local awaited ---@type string? the file that was jumped to before a client was attached to it

local function ask(buf)
  local c = client.of(buf)
  if not c or api.nvim_get_current_buf() ~= buf then
    return
  end
  local params = vim.lsp.util.make_position_params(0, c.offset_encoding)
  local tick = api.nvim_buf_get_changedtick(buf)
  params.textDocument.version = vim.lsp.util.buf_versions[buf]
  client.request(c, 'textDocument/copilotInlineEdit', params, function(err, result)
    if err or not result or not api.nvim_buf_is_valid(buf) or api.nvim_buf_get_changedtick(buf) ~= tick then
      return
    end
    local here, elsewhere = {}, nil
    for _, e in ipairs(result.edits or {}) do
      if e.textDocument.uri == vim.uri_from_bufnr(buf) then
        here[#here + 1] = e
      else
        elsewhere = elsewhere or e
      end
    end
    if #here == 0 and not elsewhere then
      return forget(buf)
    end
    if #here == 0 then
      offered[buf] = { tick = tick, edits = {}, elsewhere = elsewhere, client = c.id }
      show_elsewhere(buf, elsewhere)
      api.nvim_exec_autocmds('User', { pattern = 'SeedlingNextEdit', modeline = false })
      return
    end
    offered[buf] = { tick = tick, edits = here, client = c.id }
    show(buf, c, here)
    api.nvim_exec_autocmds('User', { pattern = 'SeedlingNextEdit', modeline = false })
  end, buf)
end

--- Jumps to the nearest place, or takes the one that the cursor is at.
---@return boolean
function M.go()
  local buf = api.nvim_get_current_buf()
  local o = offered[buf]
  local c = o and vim.lsp.get_client_by_id(o.client)
  if not o or not c or api.nvim_buf_get_changedtick(buf) ~= o.tick then
    vim.notify('Seedling: no next edit here')
    return false
  end
  if #o.edits == 0 then
    local e = o.elsewhere
    forget(buf)
    awaited = e.textDocument.uri
    vim.lsp.util.show_document({ uri = e.textDocument.uri, range = e.range }, c.offset_encoding, { focus = true })
    local there = api.nvim_get_current_buf()
    if client.of(there) then
      awaited = nil
      ask(there)
    end
    return true
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local best, far
  for _, e in ipairs(o.edits) do
    local p = e.range.start
    local d = math.abs(p.line + 1 - row) * 10000 + math.abs(byte(buf, p, c.offset_encoding) - col)
    if not far or d < far then
      best, far = e, d
    end
  end
  if far > 0 then
    vim.cmd("normal! m'") -- the way back
    api.nvim_win_set_cursor(0, { best.range.start.line + 1, byte(buf, best.range.start, c.offset_encoding) })
    return true
  end
  forget(buf)
  vim.lsp.util.apply_text_edits({ { range = best.range, newText = best.text } }, buf, c.offset_encoding)
  if best.command then
    client.request(c, 'workspace/executeCommand', { command = best.command.command, arguments = best.command.arguments }, function() end, buf)
  end
  return true
end

function M.attach(buf)
  if awaited == vim.uri_from_bufnr(buf) then
    awaited = nil
    vim.schedule(function() -- after the server was told of the text
      ask(buf)
    end)
  end
  local group = api.nvim_create_augroup('seedling.nextedit.' .. buf, {})
  api.nvim_create_autocmd({ 'InsertLeave', 'TextChanged' }, {
    group = group,
    buffer = buf,
    callback = function()
      if not offered[buf] or offered[buf].tick ~= api.nvim_buf_get_changedtick(buf) then
        forget(buf)
        ask(buf)
      end
    end,
  })
  api.nvim_create_autocmd('InsertEnter', {
    group = group,
    buffer = buf,
    callback = function()
      forget(buf)
    end,
  })
  local key = require('seedling').options.keys.next_edit
  if key then
    vim.keymap.set('n', key, M.go, { buffer = buf, desc = 'Seedling: to the next edit, or take it' })
  end
end

return M
