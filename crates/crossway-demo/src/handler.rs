//! The `ServerHandler`: from the protocol's methods to the modules that do the work.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest,
        CustomResult, DiscoverRequestMethod, DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams,
        GetPromptResponse, InitializeRequestParams, InitializeResult, InitializeResultMethod,
        ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
        PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
        ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestMethod,
        SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestMethod, UnsubscribeRequestParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};

use crate::pages;
use crate::{
    completion,
    demo::Demo,
    era::{Dialect, Era},
    identity,
    listeners::Listener,
    prompts, resources,
    stamp::Stamp,
    tools,
    turn::Turn,
};

type Context = RequestContext<RoleServer>;

impl ServerHandler for Demo {
    fn get_info(&self) -> ServerConfig {
        identity::config(self.era())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.era().revisions()
    }

    /// A request that names a modern revision gets the answer of a modern server, which knows no such method.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Result<InitializeResult, ErrorData> {
        if Dialect::of_request(&context) == Dialect::Modern {
            return Err(ErrorData::method_not_found::<InitializeResultMethod>());
        }
        if self.era() == Era::Modern {
            return Err(modern_only(request.protocol_version));
        }
        let session = Listener::Session { peer: context.peer.clone(), watched: Default::default() };
        let ticket = self.server.listeners.enter(session)?;
        *self.session.ticket() = Some(ticket);
        let result = self.negotiate_initialize(&request)?;
        context.peer.set_peer_info(request);
        Ok(result)
    }

    async fn on_initialized(&self, _context: NotificationContext<RoleServer>) {}

    async fn discover(&self, _context: Context) -> Result<DiscoverResult, ErrorData> {
        if self.era() == Era::Legacy {
            return Err(ErrorData::method_not_found::<DiscoverRequestMethod>());
        }
        let revisions = self.supported_protocol_versions().into_owned();
        let result = DiscoverResult::from_server_info(revisions, self.get_info());
        Ok(result.with_ttl_ms(resources::fresh_ms()).with_cache_scope(resources::SCOPE))
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let dialect = self.admit_list(page.as_ref(), &context)?;
        let changes = self.server.tool_changes.load(Ordering::Relaxed);
        Ok(ListToolsResult::with_all_items(tools::list(changes)).stamped(dialect, resources::fresh_ms()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let turn = Turn {
            demo: self,
            dialect: self.era().admit(&context)?,
            context: &context,
            method: "tools/call",
            name: &request.name,
            arguments: request.arguments.unwrap_or_default(),
            responses: request.input_responses.unwrap_or_default(),
            state: request.request_state,
        };
        Ok(tools::call(&turn).await?.stamped(turn.dialect, 0))
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let dialect = self.era().admit(&context)?;
        let changes = self.server.prompt_changes.load(Ordering::Relaxed);
        let (prompts, next) = pages::page(prompts::list(changes), page.as_ref())?;
        let mut result = ListPromptsResult::with_all_items(prompts);
        result.next_cursor = next;
        Ok(result.stamped(dialect, resources::fresh_ms()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let turn = Turn {
            demo: self,
            dialect: self.era().admit(&context)?,
            context: &context,
            method: "prompts/get",
            name: &request.name,
            arguments: request.arguments.unwrap_or_default(),
            responses: request.input_responses.unwrap_or_default(),
            state: request.request_state,
        };
        Ok(prompts::get(&turn).await?.stamped(turn.dialect, 0))
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let dialect = self.era().admit(&context)?;
        let (resources, next) = pages::page(resources::list(), page.as_ref())?;
        let mut result = ListResourcesResult::with_all_items(resources);
        result.next_cursor = next;
        Ok(result.stamped(dialect, resources::fresh_ms()))
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let dialect = self.admit_list(page.as_ref(), &context)?;
        let templates = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(templates.stamped(dialect, resources::fresh_ms()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let dialect = self.era().admit(&context)?;
        let (result, fresh_ms) = resources::read(self, &request.uri)?;
        Ok(result.stamped(dialect, fresh_ms).into())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        if self.era().admit(&context)? == Dialect::Modern {
            return Err(ErrorData::method_not_found::<SubscribeRequestMethod>());
        }
        if !resources::exists(&request.uri) {
            return Err(resources::unknown(&request.uri));
        }
        self.session.ticket().as_ref().map_or(Ok(()), |ticket| ticket.watch(&request.uri))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        if self.era().admit(&context)? == Dialect::Modern {
            return Err(ErrorData::method_not_found::<UnsubscribeRequestMethod>());
        }
        if let Some(ticket) = self.session.ticket().as_ref() {
            ticket.unwatch(&request.uri);
        }
        Ok(())
    }

    /// rmcp takes out what was not asked for and what the capabilities don't have; resources that don't exist go here.
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        if self.era() == Era::Legacy {
            return None;
        }
        let mut accepted = requested.clone();
        if let Some(uris) = &mut accepted.resource_subscriptions {
            uris.retain(|uri| resources::exists(uri));
        }
        // The next that rmcp does is to acknowledge; only then it calls `listen`.
        self.server.listeners.expect();
        Some(accepted)
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let _ticket = self.server.listeners.enter_expected(Listener::Stream(subscription.sink().clone()))?;
        subscription.cancelled().await;
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let dialect = self.era().admit(&context)?;
        Ok(completion::complete(&request)?.stamped(dialect, 0))
    }

    /// 2026-07-28 has no `logging/setLevel`: each request names its own level.
    async fn set_level(&self, request: SetLevelRequestParams, context: Context) -> Result<(), ErrorData> {
        if self.era().admit(&context)? == Dialect::Modern {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.session.set_level(request.level);
        Ok(())
    }

    /// Requests that rmcp can't read come here too: their method is known, and their parameters are malformed.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        if !has_method(self.era(), Dialect::of(&context), &method) {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None));
        }
        self.era().admit(&context)?;
        Err(ErrorData::invalid_params(format!("the parameters of {method} can't be read"), None))
    }
}

/// Whether a revision has a method, as far as this server has it.
fn has_method(era: Era, dialect: Dialect, method: &str) -> bool {
    const BOTH: [&str; 8] = [
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
    ];
    const LEGACY: [&str; 5] =
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];
    const MODERN: [&str; 2] = ["server/discover", "subscriptions/listen"];
    let of_dialect: &[&str] = match (era, dialect) {
        (Era::Legacy, Dialect::Modern) => return false,
        (_, Dialect::Modern) => &MODERN,
        (_, Dialect::Legacy) => &LEGACY,
    };
    BOTH.contains(&method) || of_dialect.contains(&method)
}

impl Demo {
    /// As [`Era::admit`], for the lists that are one page, so that there is no cursor that could be valid: "Invalid cursors SHOULD result
    /// in an error with code -32602" (2026-07-28, server/utilities/pagination).
    fn admit_list(
        &self,
        page: Option<&PaginatedRequestParams>,
        context: &Context,
    ) -> Result<Dialect, ErrorData> {
        let dialect = self.era().admit(context)?;
        if page.is_some_and(|page| page.cursor.is_some()) {
            return Err(ErrorData::invalid_params("this list has one page, so no cursor is valid", None));
        }
        Ok(dialect)
    }
}

/// A modern-only server "SHOULD name the protocol versions it supports in any error it returns to an `initialize` request" (2026-07-28,
/// basic/versioning). It does so in words as well: a legacy client shows its user nothing else.
fn modern_only(requested: ProtocolVersion) -> ErrorData {
    let error = ErrorData::unsupported_protocol_version(requested, &Era::Modern.revisions());
    let message = format!("this server speaks revision {} only, without initialize", Era::Modern.preferred());
    ErrorData::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, message, error.data)
}
